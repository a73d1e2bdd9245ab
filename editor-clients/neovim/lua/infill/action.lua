-- Code actions of the server, chosen by kind and carried out at once, as :Infill does it.
local client = require('infill.client')
local place = require('infill.place')

local M = {}

--- Shows the difference of an edit that the user is to confirm, and asks. Others are wanted as they are.
---@param server vim.lsp.Client
---@param edit lsp.WorkspaceEdit
---@return lsp.WorkspaceEdit? wanted
local function confirmed(server, edit)
  local asks = vim.iter(vim.tbl_values(edit.changeAnnotations or {})):any(function(each)
    return each.needsConfirmation
  end)
  if not asks then
    return edit
  end
  edit.changeAnnotations = nil -- Neovim would ask once more
  local differences = {}
  for _, change in ipairs(edit.documentChanges) do
    for _, each in ipairs(change.edits) do
      each.annotationId = nil
    end
    local before = vim.api.nvim_buf_get_lines(vim.uri_to_bufnr(change.textDocument.uri), 0, -1, false)
    local scratch = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_lines(scratch, 0, -1, false, before)
    vim.lsp.util.apply_text_edits(change.edits, scratch, server.offset_encoding)
    local after = vim.api.nvim_buf_get_lines(scratch, 0, -1, false)
    vim.api.nvim_buf_delete(scratch, { force = true })
    local diff = vim.text and vim.text.diff or vim.diff
    local as_text = { table.concat(before, '\n') .. '\n', table.concat(after, '\n') .. '\n' }
    table.insert(differences, diff(as_text[1], as_text[2], { ctxlen = 1 }))
  end
  local wanted = vim.fn.confirm(table.concat(differences, '\n'), '&Apply\n&Discard', 1, 'Question') == 1
  return wanted and edit or nil
end

---@param server vim.lsp.Client
---@param action lsp.CodeAction
local function carry_out(server, action)
  local buf = vim.api.nvim_get_current_buf()
  local function apply(resolved)
    local edit = resolved.edit and confirmed(server, resolved.edit)
    if edit then
      vim.lsp.util.apply_workspace_edit(edit, server.offset_encoding)
    end
    if resolved.command then
      server:exec_cmd(resolved.command, { bufnr = buf })
    end
  end
  if action.edit or not action.data then
    apply(action)
  else
    client.request(server, 'codeAction/resolve', action, apply)
  end
end

---@param buf integer
---@param range lsp.Range
---@return lsp.Diagnostic[] on the range's lines
local function diagnostics(buf, range)
  local found = {}
  for _, each in ipairs(vim.diagnostic.get(buf)) do
    if each.lnum <= range['end'].line and (each.end_lnum or each.lnum) >= range.start.line then
      table.insert(found, each)
    end
  end
  return vim.lsp.diagnostic.from(found)
end

--- Lets the user choose if there are several; says so if there is none.
---@param kind string
---@param call table of the command
---@param nothing string what to say if there is no such action here
function M.run(kind, call, nothing)
  local server = client.needed()
  if not server then
    return
  end
  local buf = vim.api.nvim_get_current_buf()
  local range = place.range(call, server.offset_encoding)
  local params = {
    textDocument = { uri = vim.uri_from_bufnr(buf) },
    range = range,
    context = { diagnostics = diagnostics(buf, range), only = { kind }, triggerKind = 1 },
  }
  client.request(server, 'textDocument/codeAction', params, function(actions)
    actions = actions or {}
    if #actions == 0 then
      client.say(nothing, vim.log.levels.WARN)
    elseif #actions == 1 then
      carry_out(server, actions[1])
    else
      local choose = {
        prompt = 'infill',
        format_item = function(action)
          return action.title
        end,
      }
      vim.ui.select(actions, choose, function(action)
        if action then
          carry_out(server, action)
        end
      end)
    end
  end)
end

return M
