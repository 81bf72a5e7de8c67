"""Many studies kept in order: chosen by patterns, renamed, labelled, deleted and taken back."""
