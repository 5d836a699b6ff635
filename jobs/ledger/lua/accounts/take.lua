-- needs: rate
--
-- TAKE: a request's places in a rate.
--
--   rate    of `take`
return take(args.rate)
