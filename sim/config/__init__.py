"""Configuration: frozen records (`schema`), reading and merging (`load`), rules across records (`check`)."""
