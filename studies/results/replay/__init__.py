"""Replays: what sloppier protocols would have concluded."""
