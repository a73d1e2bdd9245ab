-- What the user may choose: the defaults, `vim.g.infill` and what setup() was called with. Knows no editor state.
local M = {}

---@class infill.Options
---@field cmd string[] the server's command
---@field filetypes string[] where the server is started
---@field settings table<string, any> the server's settings, named as in docs/settings.md without `infill.`
---@field enable boolean start the client by itself
---@field automatic boolean suggest while typing; else only for `next`
---@field ghost 'builtin'|'own' who asks and draws: Neovim 0.12's vim.lsp.inline_completion, or this plugin
---@field debounce integer ms from the last key to the request; with `builtin`, Neovim's own 200 for a buffer's first
---@field drafts boolean show a suggestion that was asked for while it resolves
---@field keys table<infill.Key, string> keys in insert mode; where nothing is shown they do what they did

---@alias infill.Key 'accept'|'accept_word'|'accept_line'|'next'|'dismiss'

-- The server's default, in names that are file types as well.
M.LANGUAGES = { 'python', 'typescript', 'go', 'rust', 'java', 'c', 'cpp' }

---@type infill.Options
local defaults = {
  cmd = { 'infill-ls', 'serve' },
  filetypes = M.LANGUAGES,
  settings = {},
  enable = true,
  automatic = true,
  ghost = vim.lsp.inline_completion and 'builtin' or 'own',
  debounce = 75,
  drafts = true,
  keys = {},
}
local KEYS = { accept = true, accept_word = true, accept_line = true, next = true, dismiss = true }

local given = {} ---@type table<string, any> by setup()

---@param options table<string, any>
function M.set(options)
  given = vim.tbl_deep_extend('force', given, options)
end

---@param name string
---@param value any
---@return string? problem
local function problem(name, value)
  local default = defaults[name]
  if default == nil then
    return ('there is no option %q'):format(name)
  elseif type(value) ~= type(default) then
    return ('%s must be a %s'):format(name, type(default))
  elseif name == 'ghost' and not (value == 'own' or (value == 'builtin' and vim.lsp.inline_completion)) then
    return "ghost must be 'own', or 'builtin' with Neovim 0.12 or later"
  elseif name == 'keys' then
    for key, keys in pairs(value) do
      if not KEYS[key] or type(keys) ~= 'string' then
        return ('keys has no %q, or it is no string'):format(key)
      end
    end
  end
end

---@return infill.Options options
---@return string[] problems one line each; the default is used instead
function M.get()
  local options, problems = vim.deepcopy(defaults), {}
  if vim.env.INFILL_LS_CMD then
    options.cmd = vim.split(vim.trim(vim.env.INFILL_LS_CMD), '%s+')
  end
  local chosen = vim.tbl_deep_extend('force', type(vim.g.infill) == 'table' and vim.g.infill or {}, given)
  for name, value in pairs(chosen) do
    local wrong = problem(name, value)
    if wrong then
      table.insert(problems, wrong)
    else
      options[name] = value
    end
  end
  table.sort(problems)
  return options, problems
end

return M
