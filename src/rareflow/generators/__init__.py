"""The conditional VAE-WGAN-GP: codec, networks, losses, training, sampling and the estimators around them."""
