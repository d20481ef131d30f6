---`:checkhealth midfill`: what works, what does not, and what to do.
local M = {}

---How long a server may take to say how it is.
local ANSWER_MS = 2000

---How long a program may take to print its version.
local VERSION_MS = 10000

---@return boolean
local function check_neovim()
  if vim.fn.has('nvim-0.11') == 0 then
    vim.health.error('Neovim 0.11 or newer is needed')
    return false
  end
  local version = vim.version()
  vim.health.ok(('Neovim %d.%d.%d'):format(version.major, version.minor, version.patch))
  if not require('midfill.options').current then
    vim.health.error('Midfill is not set up', { "Call require('midfill').setup()." })
    return false
  end
  return true
end

local function check_program()
  local program = require('midfill.options').current.cmd[1]
  local path = vim.fn.exepath(program)
  if path == '' then
    vim.health.error(('%s was not found'):format(program), {
      'Install Midfill so that `midfill-lsp` is on PATH, or run `midfill setup nvim`.',
      "Or name it: vim.g.midfill = { cmd = '/path/to/midfill-lsp' }",
    })
    return
  end
  local done = vim.system({ path, '--version' }, { timeout = VERSION_MS }):wait()
  if done.code == 0 then
    vim.health.ok(('Language server: %s, version %s'):format(path, vim.trim(done.stdout)))
  else
    local said = vim.trim(done.stderr ~= '' and done.stderr or ('exit status ' .. done.code))
    vim.health.error(('%s does not start: %s'):format(path, said))
  end
end

---@type table<string, fun(message: string, advice?: string[])>
local REPORTS = {
  error = vim.health.error,
  disconnected = vim.health.error,
  slow = vim.health.warn,
  starting = vim.health.warn,
}

---@param client vim.lsp.Client
local function check_client(client)
  local params = { command = 'midfill.status' }
  local answer, problem = client:request_sync('workspace/executeCommand', params, ANSWER_MS)
  if not answer or not answer.result then
    local why = problem or vim.inspect(answer and answer.err)
    vim.health.error(('The server does not answer: %s'):format(why), { ':Midfill restart' })
    return
  end
  local report = REPORTS[answer.result.state] or vim.health.ok
  local sentence = require('midfill.status').sentence(answer.result)
  report(('%s (%s)'):format(sentence, client.root_dir or 'no folder'))
end

local function check_clients()
  local clients = require('midfill.server').all()
  if #clients == 0 then
    vim.health.info('No server is running; it starts with the first file that has a file type')
  end
  vim.tbl_map(check_client, clients)
  vim.health.info('`midfill doctor` in a terminal checks the daemon and the model by a completion')
end

---In a buffer that Midfill serves: keys that another plugin has taken since.
local function check_keys()
  local bufnr = vim
    .iter(require('midfill.server').all())
    :map(function(client)
      return next(client.attached_buffers)
    end)
    :next()
  if not bufnr then
    return
  end
  for action, key in vim.spairs(require('midfill.options').current.keys) do
    local is_ours = key and require('midfill.keys').is_ours(action, key, bufnr)
    if key and is_ours then
      vim.health.ok(('%s: %s'):format(action, key))
    elseif key then
      vim.health.warn(('%s: %s is mapped to something else'):format(action, key), {
        ("Choose another: vim.g.midfill = { keys = { %s = '<C-l>' } }"):format(action),
      })
    end
  end
end

function M.check()
  vim.health.start('midfill')
  if check_neovim() then
    check_program()
    check_clients()
    check_keys()
  end
end

return M
