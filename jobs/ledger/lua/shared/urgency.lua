-- What somebody waits for has a place before all that nobody does: the acceptance number less this.
local URGENT = 2^40

-- An item's place among those of its account.
local function place_of(number, urgent)
  return urgent and number - URGENT or number
end

-- The acceptance number of what has a place.
local function number_at(place)
  return place < 0 and place + URGENT or place
end
