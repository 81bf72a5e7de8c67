"""Training runs, epoch by epoch, and what their networks have learnt."""
