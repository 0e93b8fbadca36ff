"""stub"""
from sim.results import Results
def answer(results: Results) -> str:
    return "answer"
