"""Tests of the wheel as users have it: installed into an empty environment, with every Python that is here."""
