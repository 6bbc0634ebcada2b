"""The benchmark harness: peers, source, node, figures, report."""
