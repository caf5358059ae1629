"""What MLflow keeps: runs, stores and registered generators; it knows no Optuna."""
