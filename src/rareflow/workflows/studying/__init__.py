"""What the commands `tune` and `worker` share: the study as its trials, its workers and its runs see it."""
