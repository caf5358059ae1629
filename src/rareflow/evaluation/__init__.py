"""How good forged rows are: detectors, scores, fidelity, statistics and their figures."""
