#!/usr/bin/env node
// Committed, so that npm can link it before anything is compiled.
import "../dist/bundle/main.js";
