-- A server inside Neovim that answers when a test says so. What is under test is the plugin.
local stand_in = { calls = {}, waiting = {}, results = {} }
_G.stand_in = stand_in

---@param name string of the client
---@param encoding string
---@param commands string[]
function stand_in.config(name, encoding, commands)
  vim.lsp.config(name, {
    filetypes = { 'python' },
    cmd = function(dispatchers)
      local closing, number = false, 0
      stand_in.notify = dispatchers.notification
      local function request(method, params, callback, replied)
        number = number + 1
        local id = number
        local function answer(error, result)
          vim.schedule(function()
            if replied then
              replied(id)
            end
            callback(error, result)
          end)
        end
        table.insert(stand_in.calls, { client = name, method = method, params = params })
        if method == 'initialize' then
          answer(nil, {
            capabilities = {
              positionEncoding = encoding,
              textDocumentSync = 2,
              inlineCompletionProvider = true,
              codeActionProvider = { resolveProvider = true },
              executeCommandProvider = { commands = commands },
            },
          })
        elseif method == 'textDocument/inlineCompletion' then
          local tick = stand_in.tick(params)
          table.insert(stand_in.waiting, { client = name, params = params, answer = answer, tick = tick })
        elseif method == 'workspace/executeCommand' then
          answer(nil, stand_in.results[params.command])
        else
          answer(nil, stand_in.results[method])
        end
        return true, id
      end
      return {
        request = request,
        notify = function()
          return true
        end,
        is_closing = function()
          return closing
        end,
        terminate = function()
          closing = true
        end,
      }
    end,
  })
end

-- The state of the text that a request is about.
function stand_in.tick(params)
  return vim.api.nvim_buf_get_changedtick(vim.uri_to_bufnr(params.textDocument.uri))
end

-- The parameters of the newest request, if it is about the text as it is now: one that a busy machine sent late
-- may still wait, and its answer would be shown to nobody.
function stand_in.asked()
  local newest = stand_in.waiting[#stand_in.waiting]
  return newest and newest.tick == stand_in.tick(newest.params) and newest.params or nil
end

-- Answers the newest request; those before it with null, as the server does.
---@param result any
---@param name? string of the client
function stand_in.answer(result, name)
  result, name = result ~= vim.NIL and result or nil, name ~= vim.NIL and name or nil -- as Python's None comes
  local newest
  for _, each in ipairs(stand_in.waiting) do
    if not name or each.client == name then
      if newest then
        newest.answer(nil, nil)
      end
      newest = each
    end
  end
  stand_in.waiting = vim.tbl_filter(function(each)
    return name ~= nil and each.client ~= name
  end, stand_in.waiting)
  newest.answer(nil, result)
end
