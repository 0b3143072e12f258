-- Drives `hotpatch lsp` with a real Neovim: `nvim --headless --clean -l` is newer than what Debian 12 has, so it is run
-- with `-S`. The variables are set by editors.test.ts: HOTPATCH_COMMAND, HOTPATCH_ROOT, HOTPATCH_FILE.
local out = {}
local function finish(status)
  vim.fn.writefile({ vim.fn.json_encode(out) }, vim.env.HOTPATCH_OUT)
  vim.cmd(status == 0 and "qall!" or "cquit!")
end

local function drive()
  vim.cmd("edit " .. vim.fn.fnameescape(vim.env.HOTPATCH_FILE))
  local client = vim.lsp.start_client({
    name = "hotpatch",
    cmd = { vim.env.HOTPATCH_NODE, vim.env.HOTPATCH_COMMAND, "lsp", "--stdio" },
    root_dir = vim.env.HOTPATCH_ROOT,
    settings = { hotpatch = { objectWitness = "off" } },
  })
  vim.lsp.buf_attach_client(0, client)

  local function wait(what, holds)
    if not vim.wait(60000, holds, 50) then
      out.failed = what
      finish(1)
    end
  end

  wait("attach", function() return vim.lsp.buf_is_attached(0, client) and vim.lsp.get_client_by_id(client) ~= nil end)
  -- Type as a person does, into the buffer.
  local row = vim.fn.search([[^\treturn 0;$]]) - 1
  vim.api.nvim_buf_set_text(0, row, 8, row, 9, { "1" })
  wait("diagnostics", function() return #vim.diagnostic.get(0) > 0 end)
  out.diagnostics = vim.tbl_map(function(found) return found.message end, vim.diagnostic.get(0))

  local first = vim.diagnostic.get(0)[1]
  local place = { line = first.lnum, character = first.col }
  local params = {
    textDocument = vim.lsp.util.make_text_document_params(),
    range = { start = place, ["end"] = place },
    context = { diagnostics = {} },
  }
  local answers = vim.lsp.buf_request_sync(0, "textDocument/codeAction", params, 60000)
  local action = answers[client].result[1]
  out.action = action.title
  vim.lsp.util.apply_workspace_edit(action.edit, "utf-16")
  out.text = vim.api.nvim_buf_get_lines(0, 0, -1, false)

  local checked = vim.lsp.buf_request_sync(0, "workspace/executeCommand", { command = "hotpatch.check" }, 60000)
  out.verdict = checked[client].result.verdict
  vim.lsp.stop_client(client)
  finish(0)
end

local ok, problem = pcall(drive)
if not ok then
  out.failed = tostring(problem)
  finish(1)
end
