// Package power has tests with real nodes whose machines lose their power in the middle of writes:
// a volume of package powerloss is below their data, and drops what was not synced. POWER_ROUNDS is
// how often the power goes off in each test, and POWER_SEED the seed. One test has the primary's volume
// hang instead: nothing fails on it, and nothing returns.
package power
