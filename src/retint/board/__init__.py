"""The leaderboard: what was trained alike and judged alike, as tables; and claims put to the test.

It reads plans, runs' folders and judgements of `bench`; it trains and judges nothing itself.
"""
