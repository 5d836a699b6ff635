"""The tasks of Runware's protocol, one handler each."""
