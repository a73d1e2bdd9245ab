-- :Infill and its subcommands. Each looks for the buffer's server, asks it, and says what came of it.
local client = require('infill.client')
local place = require('infill.place')

local M = {}

---@alias infill.Call { fargs: string[], args: string, range: integer, line1: integer, line2: integer }

---@param command string
---@param call infill.Call
---@param more? table
---@param answered? fun(result: any)
local function execute(command, call, more, answered)
  local server = client.needed()
  if server then
    local argument = { uri = vim.uri_from_bufnr(0), range = place.range(call, server.offset_encoding) }
    client.execute(server, command, vim.tbl_extend('force', argument, more or {}), answered)
  end
end

--- The cursor's line where no lines were given.
---@param call infill.Call
---@return infill.Call
local function lines(call)
  local line = vim.api.nvim_win_get_cursor(0)[1]
  return call.range > 0 and call or vim.tbl_extend('force', call, { range = 1, line1 = line, line2 = line })
end

---@param call infill.Call
---@param rest string the instruction, if it was given
local function rewrite(call, rest)
  local history = require('infill.history')
  local buf = vim.api.nvim_get_current_buf()
  local function go(instruction)
    if not instruction or vim.trim(instruction) == '' or vim.api.nvim_get_current_buf() ~= buf then
      return
    end
    history.add(vim.trim(instruction))
    execute('infill.rewrite', lines(call), { instruction = vim.trim(instruction) })
  end
  if rest ~= '' then
    go(rest)
  elseif client.needed() then
    local completion = "customlist,v:lua.require'infill.history'.complete"
    vim.ui.input({ prompt = 'Rewrite: ', completion = completion }, go)
  end
end

---@param call infill.Call
local function fill(call)
  execute('infill.fill', call)
end

local function fill_all()
  local server = client.needed()
  if server then
    client.execute(server, 'infill.fill', { uri = vim.uri_from_bufnr(0) })
  end
end

---@param call infill.Call
local function proofread(call)
  local whole = { range = 2, line1 = 1, line2 = vim.api.nvim_buf_line_count(0) }
  execute('infill.proofread', call.range > 0 and call or vim.tbl_extend('force', call, whole), {}, function(result)
    local found = type(result) == 'table' and result.found or 0
    local where = found > 0 and '; :Infill fix on their lines shows what would stand there' or ''
    client.say(('%d unlikely %s%s'):format(found, found == 1 and 'place' or 'places', where))
  end)
end

local function status()
  local server = client.needed()
  if not server then
    return
  end
  client.execute(server, 'infill.status', nil, function(answer)
    answer = type(answer) == 'table' and answer or {}
    local told = { ('infill-ls %s'):format((server.server_info or {}).version or '') }
    local function add(text, ...)
      table.insert(told, '  ' .. text:format(...))
    end
    if not answer.state then
      add('worker: %s', answer.message or 'none runs; the next suggestion starts one')
    else
      add('worker %d: %s%s', answer.pid, answer.state, answer.message ~= '' and ', ' .. answer.message or '')
      add('model %s on %s, %d MB', answer.model, answer.device, math.floor(answer.memory_bytes / 1e6))
      add('%d clients, %d waiting, %d answered', answer.clients, answer.queued, answer.served)
      if answer.p50_ms and answer.p50_ms ~= vim.NIL then
        add('p50 %d ms, p90 %d ms', math.floor(answer.p50_ms + 0.5), math.floor(answer.p90_ms + 0.5))
      end
    end
    vim.api.nvim_echo({ { table.concat(told, '\n') } }, true, {})
  end)
end

--- The worker; and the server, if it is not there.
local function restart()
  local server = client.of(0)
  if server then
    client.execute(server, 'infill.restartWorker', nil, function()
      client.say('the worker has been restarted')
    end)
  else
    vim.lsp.enable(client.NAME, false)
    vim.lsp.enable(client.NAME)
    client.say('the server is being started')
  end
end

local function log()
  vim.cmd.tabedit({ args = { vim.fn.fnameescape(vim.lsp.log.get_filename()) }, magic = { file = false } })
  vim.cmd.normal({ 'G', bang = true })
end

local function action(kind, nothing)
  return function(call)
    require('infill.action').run(kind, call, nothing)
  end
end

local RUN = {
  rewrite = rewrite,
  fill = fill,
  fillall = fill_all,
  fix = action('quickfix.infill', 'there is no diagnostic here'),
  docstring = action('refactor.rewrite.infill.docstring', 'there is no function here that could have a docstring'),
  proofread = proofread,
  status = status,
  restart = restart,
  log = log,
}

---@param call infill.Call
function M.run(call)
  local name, rest = call.args:match('^%s*(%S+)%s*(.-)%s*$')
  local run = RUN[name]
  if not run then
    local there = table.concat(M.names(), ', ')
    client.say(('there is no :Infill %s; there are %s'):format(name, there), vim.log.levels.ERROR)
  elseif rest ~= '' and name ~= 'rewrite' then
    client.say((':Infill %s takes nothing more'):format(name), vim.log.levels.ERROR)
  else
    run(call, rest)
  end
end

---@return string[]
function M.names()
  local names = vim.tbl_keys(RUN)
  table.sort(names)
  return names
end

--- Subcommands, and behind `rewrite` the instructions given before.
---@param typed string
---@param line string
---@return string[]
function M.complete(typed, line)
  local instruction = line:match('Infill%s+rewrite%s+(.*)$')
  if instruction then
    return require('infill.history').complete(instruction)
  elseif line:match('Infill%s+%S+%s') then
    return {}
  end
  return vim.tbl_filter(function(name)
    return vim.startswith(name, typed)
  end, M.names())
end

return M
