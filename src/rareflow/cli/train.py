"""`rareflow train`."""

from __future__ import annotations

from typing import Annotated

import typer

from rareflow.cli import options

__all__ = ["train"]


def train(
    ctx: typer.Context,
    data: options.Data = "simulated-gas-pipeline",
    label: options.Label = "",
    drop: options.Drop = "",
    recipe: options.Recipe = "",
    categorical: options.Categorical = "",
    infinities: options.Infinities = "",
    rare_classes: options.RareClasses = "error",
    rows: options.Rows = 0,
    sample_rows: options.SampleRows = 300_000,
    test: options.Test = "",
    unseen_classes: options.UnseenClasses = "error",
    split: options.SplitKind = "random",
    test_size: options.TestSize = 0.3,
    seed: options.Seed = 0,
    architecture: Annotated[str, typer.Option(help="vae-wgan-gp, vae, wgan-gp or wgan.")] = "vae-wgan-gp",
    latent_dim: Annotated[int, typer.Option(help="Length of the latent vector z.")] = 16,
    hidden_dim: Annotated[int, typer.Option(help="Width of the hidden layers.")] = 128,
    lambda_gp: Annotated[float, typer.Option(help="Weight of the gradient penalty.")] = 10.0,
    n_critic: Annotated[int, typer.Option(help="Critic steps a generator step.")] = 5,
    kl_weight: Annotated[float, typer.Option(help="Weight of the KL term; the paper's is 1.")] = 0.1,
    learning_rate: Annotated[float, typer.Option(help="Adam's learning rate.")] = 1e-3,
    steps: Annotated[int, typer.Option(help="Generator steps.")] = 300,
    batch_size: Annotated[int, typer.Option(help="Rows a batch.")] = 128,
    precision: Annotated[
        str,
        typer.Option(
            help="Of matrix products: float32, bfloat16 or auto, which is bfloat16 where it pays (large "
            "batches, wide layers, a processor that multiplies it faster)."
        ),
    ] = "auto",
    codec: Annotated[str, typer.Option(help="How numbers are scaled: asinh, quantile or zscore.")] = "asinh",
    sampling: Annotated[
        str,
        typer.Option(
            help="How rows are drawn: prior, posterior, neighbours, interpolation, residual or crossover. "
            "Unset: crossover; prior where the architecture has no encoder."
        ),
    ] = "",
    n_neighbors: Annotated[int, typer.Option(help="Latent neighbours that a row is paired with.")] = 5,
    noise: Annotated[float, typer.Option(help="Factor on the posterior's standard deviation.")] = 1.0,
    filter: Annotated[  # noqa: A002 - the field's word
        str, typer.Option(help="Prefer rows that two forests give to their class: true or false.")
    ] = "true",
    snap: Annotated[
        str, typer.Option(help="Make exact what parents share (shared), every number (observed), or none.")
    ] = "shared",
    class_rows: Annotated[
        str,
        typer.Option(
            help="Rows each class is to have, real and forged; none gets more than the largest has. Unset: "
            "700, or an eighth of the largest class if that is more."
        ),
    ] = "",
    checkpoint_every: Annotated[
        int,
        typer.Option(
            help="Generator steps between checkpoints in the current folder; the same command goes on from "
            "the last. 0: none.",
            min=0,
        ),
    ] = 0,
    experiment: options.Experiment = "rareflow",
    n_threads: options.NThreads = 1,
    device: options.Device = "auto",
    debug: options.Debug = False,
) -> None:
    """Train one generator with given parameters, score it before and after, and log it; register nothing."""
    from rareflow.workflows import train as workflow

    params = {
        "architecture": architecture,
        "latent_dim": latent_dim,
        "hidden_dim": hidden_dim,
        "lambda_gp": lambda_gp,
        "n_critic": n_critic,
        "kl_weight": kl_weight,
        "learning_rate": learning_rate,
        "steps": steps,
        "batch_size": batch_size,
        "precision": precision,
        "codec": codec,
        "sampling": sampling or None,
        "n_neighbors": n_neighbors,
        "noise": noise,
        "filter": options.truth("--filter", filter),
        "snap": snap,
    }
    wanted = options.whole("--class-rows", class_rows) if class_rows else None
    typer.echo(
        workflow.run(options.settings(ctx), params, class_rows=wanted, checkpoint_every=checkpoint_every)
    )
