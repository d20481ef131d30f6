---Wires the language server into Neovim: set-up, commands, status text and the accept key.
local M = {}

local NAME = 'midfill'
local KEY_DESCRIPTION = 'Midfill: accept the suggestion'
local FALLBACK_KEY = '<Plug>(MidfillFallback)'

---@class (exact) midfill.Opts
---@field cmd? string[] the program of the language server; default: `midfill-lsp` on PATH
---@field enabled? boolean
---@field disabled_languages? string[]
---@field accept_key? string|false default: `<Tab>`; false maps nothing, see `accept`

---What the server says in `midfill/status`.
---@class (exact) midfill.Status
---@field state string
---@field reason string
---@field model string

---The last status of each running server, by client id.
---@type table<integer, midfill.Status>
local statuses = {}

---@param bufnr integer
---@return vim.lsp.Client?
local function client_of(bufnr)
  return vim.lsp.get_clients({ bufnr = bufnr, name = NAME })[1]
end

---@param client vim.lsp.Client
---@return midfill.Status
local function status_of(client)
  return statuses[client.id] or { state = 'starting', reason = '', model = '' }
end

---@param status midfill.Status
---@return string
local function sentence(status)
  local parts = vim.tbl_filter(function(part)
    return part ~= ''
  end, { status.state, status.model, status.reason })
  return ('Midfill: %s'):format(table.concat(parts, ', '))
end

---@type lsp.Handler
local function on_status(_, status, context)
  statuses[context.client_id] = status
  vim.api.nvim_exec_autocmds('User', { pattern = 'MidfillStatus', data = status })
  vim.cmd.redrawstatus({ bang = true })
end

---@param client vim.lsp.Client
---@param bufnr integer
local function explain(client, bufnr)
  local params = { command = 'midfill.explain' }
  client:request('workspace/executeCommand', params, function(failure, answer)
    if failure then
      vim.notify(('Midfill: %s'):format(failure.message), vim.log.levels.ERROR)
    else
      vim.notify(answer)
    end
  end, bufnr)
end

---The buffer-local commands; each takes the client that serves the buffer when it is called.
---@type table<string, { description: string, run: fun(client: vim.lsp.Client, bufnr: integer) }>
local COMMANDS = {
  MidfillExplain = {
    description = 'Say why the last suggestion was or was not shown',
    run = explain,
  },
  MidfillStatus = {
    description = 'Say what Midfill is doing',
    run = function(client)
      vim.notify(sentence(status_of(client)))
    end,
  },
}

---@param bufnr integer
local function create_commands(bufnr)
  for name, command in pairs(COMMANDS) do
    vim.api.nvim_buf_create_user_command(bufnr, name, function()
      local client = client_of(bufnr)
      if client then
        command.run(client, bufnr)
      else
        vim.notify('Midfill has left this buffer, see :checkhealth midfill', vim.log.levels.WARN)
      end
    end, { desc = command.description })
  end
end

---Whatever the key did before moves to a <Plug> mapping that ours falls through to, so that snippet
---jumps and completion menus keep working.
---@param key string
---@param bufnr integer
local function map_accept(key, bufnr)
  local previous = vim.fn.maparg(key, 'i', false, true)
  if previous.desc == KEY_DESCRIPTION then
    return -- mapped when an earlier server attached
  end
  if vim.tbl_isempty(previous) then
    vim.keymap.set('i', FALLBACK_KEY, key, { buffer = bufnr })
  else
    previous.buffer, previous.lhs, previous.lhsrawalt = 1, FALLBACK_KEY, nil
    previous.lhsraw = vim.api.nvim_replace_termcodes(FALLBACK_KEY, true, true, true)
    vim.fn.mapset(previous)
  end
  vim.keymap.set('i', key, function()
    return M.accept() and '' or FALLBACK_KEY
  end, { buffer = bufnr, expr = true, remap = true, desc = KEY_DESCRIPTION })
end

---@param bufnr integer
---@param opts midfill.Opts
local function attach(bufnr, opts)
  create_commands(bufnr)
  if not M.has_inline_completion() then
    return
  end
  vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
  if opts.accept_key ~= false then
    -- maparg and mapset act on the current buffer, which need not be the attached one.
    vim.api.nvim_buf_call(bufnr, function()
      map_accept(opts.accept_key or '<Tab>', bufnr)
    end)
  end
end

---@param opts midfill.Opts
local function watch_attach(opts)
  vim.api.nvim_create_autocmd('LspAttach', {
    group = vim.api.nvim_create_augroup('midfill', { clear = true }),
    callback = function(event)
      local client = vim.lsp.get_client_by_id(event.data.client_id)
      if client and client.name == NAME then
        attach(event.buf, opts)
      end
    end,
  })
end

---Configure and enable the language server.
---@param opts? midfill.Opts
function M.setup(opts)
  opts = opts or {}
  vim.lsp.config(NAME, {
    cmd = opts.cmd,
    handlers = { ['midfill/status'] = on_status },
    init_options = { enabled = opts.enabled, disabledLanguages = opts.disabled_languages },
    on_exit = function(_, _, client_id)
      statuses[client_id] = nil
    end,
  })
  watch_attach(opts)
  local program = vim.lsp.config[NAME].cmd[1]
  if vim.fn.executable(program) == 0 then
    local message = 'Midfill: %s was not found, see :checkhealth midfill'
    vim.notify(message:format(program), vim.log.levels.ERROR)
    return
  end
  vim.lsp.enable(NAME)
end

---Whether this Neovim can show suggestions itself (0.12 and newer).
---@return boolean
function M.has_inline_completion()
  return vim.lsp.inline_completion ~= nil
end

---Accept the shown suggestion; false if there is none. For a mapping of your own.
---@return boolean
function M.accept()
  return M.has_inline_completion() and vim.lsp.inline_completion.get()
end

---Text for a statusline: `%{v:lua.require'midfill'.status()}`; empty where Midfill is not attached.
---@param bufnr? integer default: the current buffer
---@return string
function M.status(bufnr)
  local client = client_of(bufnr or 0)
  return client and ('midfill: %s'):format(status_of(client).state) or ''
end

---Each running server's status as a sentence, for `:checkhealth midfill`.
---@return string[]
function M.statuses()
  return vim.tbl_map(function(client)
    return sentence(status_of(client))
  end, vim.lsp.get_clients({ name = NAME }))
end

return M
