"""The training half: recipes, the loop, checkpoints."""
