-- :checkhealth infill
local M = {}

local DOCTOR_MS = 60000

---@param options infill.Options
---@param arguments string[] instead of `serve`
---@return vim.SystemCompleted?
local function run(options, arguments)
  local cmd = vim.list_extend({}, options.cmd)
  if cmd[#cmd] == 'serve' then
    table.remove(cmd)
  end
  local started, process = pcall(vim.system, vim.list_extend(cmd, arguments), { text = true })
  return started and process:wait(DOCTOR_MS) or nil
end

---@param options infill.Options
local function plugin(options)
  local health = vim.health
  health.start('infill: plugin')
  health.ok('Neovim ' .. tostring(vim.version()))
  if options.ghost == 'builtin' then
    health.ok('suggestions are drawn by vim.lsp.inline_completion')
  elseif vim.lsp.inline_completion then
    health.ok("suggestions are drawn by this plugin, as ghost = 'own' says")
  else
    health.ok('suggestions are drawn by this plugin, as Neovim does not before 0.12')
  end
  local _, problems = require('infill.options').get()
  for _, problem in ipairs(problems) do
    health.error(problem, 'see :help infill-options')
  end
end

local function client()
  local health = vim.health
  health.start('infill: client')
  local name = require('infill.client').NAME
  local clients = vim.lsp.get_clients({ name = name })
  for _, each in ipairs(clients) do
    local buffers = vim.tbl_count(each.attached_buffers)
    local version = (each.server_info or {}).version or 'of unknown version'
    health.ok(('server %s runs, for %d buffer(s), positions in %s'):format(version, buffers, each.offset_encoding))
  end
  if #clients == 0 and vim.lsp.is_enabled and not vim.lsp.is_enabled(name) then
    health.warn('the client is not enabled', ("vim.lsp.enable('%s')"):format(name))
  elseif #clients == 0 then
    local filetypes = table.concat((vim.lsp.config[name] or {}).filetypes or {}, ', ')
    health.info('no server runs: it is started for files of the types ' .. filetypes)
  end
end

---@param options infill.Options
local function server(options)
  local health = vim.health
  health.start('infill: server')
  if vim.fn.executable(options.cmd[1]) == 0 then
    health.error(options.cmd[1] .. ' cannot be run', 'install infill-ls or set `cmd`, see :help infill-install')
    return
  end
  local doctor = run(options, { 'doctor', '--json' })
  local read, report = pcall(vim.json.decode, doctor and doctor.stdout or '')
  if not read or type(report) ~= 'table' or not report.findings then
    local said = doctor and vim.trim(doctor.stderr or '') or ''
    health.error(
      table.concat(options.cmd, ' ') .. ': the server does not say how it is',
      said ~= '' and said:sub(-500) or 'run `infill-ls doctor` in a terminal'
    )
    return
  end
  local says = { ok = health.ok, warning = health.warn, problem = health.error }
  for _, finding in ipairs(report.findings) do
    if finding.name ~= 'editor' then
      local say = says[finding.level] or health.info
      local remedy = finding.remedy
      say(('%s: %s'):format(finding.name, finding.message), (remedy and remedy ~= '') and remedy or nil)
    end
  end
end

function M.check()
  local options = require('infill.options').get()
  plugin(options)
  client()
  server(options)
end

return M
