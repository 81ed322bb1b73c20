"""Container images built with BuildKit, skipped when unchanged, pinned by digest."""
