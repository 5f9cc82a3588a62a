// The source of the library whose precompiled headers the others share.
