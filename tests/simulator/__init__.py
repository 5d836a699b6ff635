"""The whole service in one process, on schedules that are drawn from seeds and can be played again."""
