-- The client of the server: find it, send it requests, say in one line what comes of them.
local M = {}

M.NAME = 'infill_ls'

---@param message string
---@param level? integer
function M.say(message, level)
  vim.notify('infill: ' .. message:gsub('%s*\n%s*', ' '), level or vim.log.levels.INFO)
end

---@param buf? integer 0 or nil: the current buffer
---@return vim.lsp.Client?
function M.of(buf)
  return vim.lsp.get_clients({ name = M.NAME, bufnr = buf or 0 })[1]
end

--- Whether it is for its file type that a buffer has no server.
---@param filetype string
---@return boolean
function M.is_off_for(filetype)
  local config = vim.lsp.config[M.NAME]
  return filetype ~= '' and not vim.list_contains(config and config.filetypes or {}, filetype)
end

--- The buffer's client; while there is none, the user is told.
---@return vim.lsp.Client?
function M.needed()
  local client = M.of(0)
  if not client and M.is_off_for(vim.bo.filetype) then
    M.say(('off for %s; :Infill toggle language turns it on'):format(vim.bo.filetype), vim.log.levels.WARN)
  elseif not client then
    M.say('no server is attached to this buffer; :checkhealth infill says why', vim.log.levels.WARN)
  end
  return client
end

---@param client vim.lsp.Client
---@param method string
---@param params table
---@param answered fun(result: any)
function M.request(client, method, params, answered)
  ---@diagnostic disable-next-line: param-type-mismatch
  client:request(method, params, function(err, result)
    if err then
      M.say(err.message or 'the server gave no reason', vim.log.levels.WARN)
    else
      answered(result)
    end
  end, vim.api.nvim_get_current_buf())
end

---@param client vim.lsp.Client
---@param command string
---@param argument? table
---@param answered? fun(result: any)
function M.execute(client, command, argument, answered)
  local provider = client.server_capabilities.executeCommandProvider
  if not vim.list_contains(provider and provider.commands or {}, command) then
    M.say(('this infill-ls has no %s: a newer one may'):format(command), vim.log.levels.WARN)
    return
  end
  local params = { command = command, arguments = argument and { argument } or {} }
  M.request(client, 'workspace/executeCommand', params, answered or function() end)
end

--- Tells the user, in the first file that the server would be started for.
---@param options infill.Options
function M.say_missing(options)
  local function say()
    local remedy = 'install it or set `cmd`, see :help infill-install'
    M.say(('%s cannot be run: %s'):format(options.cmd[1], remedy), vim.log.levels.WARN)
  end
  if vim.list_contains(options.filetypes, vim.bo.filetype) then
    say()
  else
    vim.api.nvim_create_autocmd('FileType', {
      group = vim.api.nvim_create_augroup('infill.missing', {}),
      pattern = options.filetypes,
      once = true,
      callback = say,
    })
  end
end

return M
