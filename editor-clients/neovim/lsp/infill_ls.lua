-- The configuration of the client `infill_ls`; what :help vim.lsp.config() says of such files holds for it.
local options = require('infill.options').get()

---@type vim.lsp.Config
return {
  cmd = options.cmd,
  filetypes = options.filetypes,
  root_markers = { 'pyproject.toml', 'setup.py', '.git' },
  settings = next(options.settings) and { infill = options.settings } or nil, -- {} would be sent as a list
  -- The options are the user's own: no file of the workspace has a say in them.
  init_options = { trusted = true },
  -- Neovim 0.11 does not say that it shows inline completions, but then this plugin does.
  capabilities = {
    textDocument = { inlineCompletion = { dynamicRegistration = false } },
    workspace = { workspaceEdit = { changeAnnotationSupport = { groupsOnLabel = true } } },
    experimental = {
      infill = { drafts = options.drafts, status = true, refusals = true, log = true, instructions = true },
    },
  },
  handlers = {
    ['infill/draft'] = function(_, draft, context)
      require('infill.draft').received(draft, context.client_id)
    end,
    ['infill/refused'] = function(_, refused)
      require('infill.status').refused(refused)
    end,
    ['infill/status'] = function(_, status, context)
      require('infill.status').received(status, context.client_id)
    end,
  },
}
