package main

type importCmd struct{}

func (importCmd) Run(*session) error { return nil }

type exportCmd struct{}

func (exportCmd) Run(*session) error { return nil }
