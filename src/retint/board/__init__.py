"""The leaderboard: networks taught and judged alike, as tables; and claims put to the test."""
