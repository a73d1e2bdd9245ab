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
    return
  end
  local server = client.needed()
  if server then
    client.execute(server, 'infill.status', nil, function(answer)
      local rewrites = vim.tbl_get(answer or {}, 'rewrites') or {}
      if rewrites.possible == false then
        client.say(rewrites.message .. '; see :help infill-models', vim.log.levels.WARN)
        return
      end
      local completion = "customlist,v:lua.require'infill.history'.complete"
      vim.ui.input({ prompt = 'Rewrite: ', completion = completion }, go)
    end)
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
    local found, other = vim.tbl_get(result or {}, 'found') or 0, vim.tbl_get(result or {}, 'replaceable') or 0
    local some = other == found and '' or (' for %d of them'):format(other)
    local where = other > 0 and ('; :Infill fix on their lines has another word%s'):format(some)
      or found > 0 and '; no other word was found for them'
      or ''
    client.say(('%d unlikely %s%s'):format(found, found == 1 and 'place' or 'places', where))
  end)
end

local function status()
  local server = client.needed()
  if not server then
    return
  end
  local buf = vim.api.nvim_get_current_buf()
  client.execute(server, 'infill.status', { uri = vim.uri_from_bufnr(buf) }, function(answer)
    answer = type(answer) == 'table' and answer or {}
    local told = { ('infill-ls %s'):format((server.server_info or {}).version or '') }
    local function add(text, ...)
      table.insert(told, '  ' .. text:format(...))
    end
    local document, silent = answer.document, require('infill.status').silence(buf)
    if document then
      require('infill.status').is(buf, document)
      add('this buffer: %s', document.on and 'on' or document.message)
    end
    if silent and document and document.on then
      add('nothing offered, %s', silent)
    end
    if not answer.state then
      add('worker: %s', answer.message or 'none runs; the next suggestion starts one')
    else
      add('worker %d: %s%s', answer.pid, answer.state, answer.message ~= '' and ', ' .. answer.message or '')
      add('model %s on %s, %d MB', answer.model, answer.device, math.floor(answer.memory_bytes / 1e6))
      local clients = answer.clients == 1 and '1 client' or ('%d clients'):format(answer.clients)
      add('%s, %d waiting, %d answered', clients, answer.queued, answer.served)
      if answer.p50_ms and answer.p50_ms ~= vim.NIL then
        add('p50 %d ms, p90 %d ms', math.floor(answer.p50_ms + 0.5), math.floor(answer.p90_ms + 0.5))
      end
    end
    for lane, made in vim.spairs(answer.nextEdits or {}) do
      local what = 'next edits (%s): %d shown, %d accepted, %d dismissed, %d ignored'
      add(what, lane, made.shown, made.accepted, made.dismissed, made.ignored)
    end
    vim.lsp.util.open_floating_preview(told, '', { focus_id = 'infill.status', border = 'single' })
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
  toggle = function(_, rest)
    require('infill.switch').toggle(rest)
  end,
  snooze = function(_, rest)
    require('infill.switch').snooze(rest)
  end,
}
local TAKES_MORE = { rewrite = true, toggle = true, snooze = true }

---@param call infill.Call
function M.run(call)
  local name, rest = call.args:match('^%s*(%S+)%s*(.-)%s*$')
  local run = RUN[name]
  if not run then
    local there = table.concat(M.names(), ', ')
    client.say(('there is no :Infill %s; there are %s'):format(name, there), vim.log.levels.ERROR)
  elseif rest ~= '' and not TAKES_MORE[name] then
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
  elseif line:match('Infill%s+toggle%s+%S*$') then
    return vim.tbl_filter(function(name)
      return vim.startswith(name, typed)
    end, require('infill.switch').names())
  elseif line:match('Infill%s+%S+%s') then
    return {}
  end
  return vim.tbl_filter(function(name)
    return vim.startswith(name, typed)
  end, M.names())
end

return M
