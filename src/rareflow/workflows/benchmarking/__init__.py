"""The parts of `rareflow benchmark`: its plan, its results on disk, its processes, its runs, its report."""
