"""Pictures of results, all in one style: readable in black and white, drawn without a display."""
