package app

// HelpTexts returns the help texts of the flags of Config for kong, by the names that its tags use.
// Variable and default in a text are those of the tag.
func HelpTexts() map[string]string {
	return map[string]string{
		"database_path": "The database file (DATABASE_PATH; default data/blog.db).",
		"listen_addr":   "Where readers are served (LISTEN_ADDR; default :4000).",
		"private_addr": "The private listener, for other nodes and the command line; never to be reached from " +
			"outside (PRIVATE_ADDR; default 127.0.0.1:4001).",
		"litefs_url": "LiteFS's API on this machine, such as http://localhost:20202; empty: no LiteFS " +
			"(LITEFS_URL).",
		"litefs_self": "The name under which this node would be primary; set by blog mount.",
		"primary_url": "The primary's private listener, with {hostname} for LiteFS's lease.hostname, such as " +
			"http://{hostname}.vm.APP.internal:4001 (PRIMARY_URL).",
		"cluster_secret": "What nodes know each other by; the same on all, needed with LiteFS (CLUSTER_SECRET).",
		"durability": "When a write is acknowledged: two (a standby has it too; the primary alone when the " +
			"standby is lost), strict (never alone), local (a plain file, or a static lease) (DURABILITY; default two " +
			"where a standby can be elected).",
		"durability_wait": "How long after a standby's last report the primary goes on alone (DURABILITY_WAIT; " +
			"default 5s).",
		"durability_stall": "The same for a standby that reports, but whose copy stands still while writes wait " +
			"for it (DURABILITY_STALL; default 20s).",
		"write_stall": "For how long all commits may fail, at least three, or one write may not return (no less than " +
			"20s), before the primary hands over to another member of the sync set, or ends (WRITE_STALL; default 20s).",
		"litefs_control":   "The socket that blog mount and its child share; set by it.",
		"litefs_member":    "The id of this node's data directory; set by blog mount.",
		"litefs_candidate": "Whether this node may be elected; set by blog mount.",
		"public_url":       "The site's address as readers see it (PUBLIC_URL; default http://localhost:4000).",
		"region":           "The region this node is in (REGION).",
		"node":             "This node's name (NODE; default: the machine's).",
		"client_ip_header": "The header in which the proxy in front says where a request comes from, such as " +
			"Fly-Client-IP (CLIENT_IP_HEADER).",
		"title":       "What the blog is called (BLOG_TITLE).",
		"description": "What it is about, in a sentence (BLOG_DESCRIPTION).",
		"lang":        "Its language, such as en or pt-BR (BLOG_LANGUAGE; default en).",
		"tz": "The zone of days and of dates without one, such as Europe/Lisbon (BLOG_TIMEZONE; default " +
			"UTC).",
	}
}
