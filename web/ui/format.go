package ui

import "strconv"

func cardID(c Card) string { return "post-" + strconv.FormatInt(c.ID, 10) }
