-- The Lua of the Neovim plugin and its tests.
std = 'luajit'
globals = { 'vim' }
max_line_length = 120
files['tests/e2e'] = { globals = { 'stand_in' } }
