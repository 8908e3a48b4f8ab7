"""Decisions as functions of values: routes, prices, accounts, retries, pacing, block lists.

Pure: tables and a message (and the time, as a number) in, a decision and its reason out.
"""
