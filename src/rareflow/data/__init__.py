"""Reading, describing and splitting labelled tables, and the simulated gas pipeline."""
