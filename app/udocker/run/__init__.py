"""From what was asked to a process: the plan and its execution."""
