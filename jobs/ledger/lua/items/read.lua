-- needs: reading
--
-- READ: tasks as they stand at one moment.
--
--   uids, and what `read_tasks` takes
--
-- Answers as `read_tasks`.
return read_tasks(args.uids)
