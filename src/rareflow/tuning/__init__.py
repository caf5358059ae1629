"""The Optuna study: search space, objective and recovery; it knows no MLflow."""
