"""The controller's side of measuring: start the processes of a block, ask them, keep it."""
