;; Drives `hotpatch lsp` with a real Emacs and eglot: emacs --batch -l test/emacs.el, with the variables of editors.test.ts.
(require 'package)
(package-initialize)
(require 'eglot)
(require 'flymake)
(require 'json)

(defvar out nil)
(defun hotpatch-tell (key value) (setq out (cons (cons key value) out)))
(defun hotpatch-wait (what holds)
  (let ((end (+ (float-time) 60)))
    (while (and (not (funcall holds)) (< (float-time) end)) (accept-process-output nil 0.05))
    (unless (funcall holds) (error "%s" what))))

(setq eglot-sync-connect 60
      eglot-send-changes-idle-time 0.01
      flymake-no-changes-timeout 0.01
      eglot-confirm-server-initiated-edits nil)
(add-to-list 'eglot-server-programs
             `(c-mode . (,(getenv "HOTPATCH_NODE") ,(getenv "HOTPATCH_COMMAND") "lsp" "--stdio")))

(condition-case problem
    (progn
      (find-file (getenv "HOTPATCH_FILE"))
      (c-mode)
      (apply #'eglot (eglot--guess-contact))
      (goto-char (point-min))
      (search-forward "return 0")
      (delete-char -1)
      (insert "1")
      (eglot--signal-textDocument/didChange)
      (hotpatch-wait "diagnostics"
                     (lambda () (flymake-start) (flymake-diagnostics)))
      (hotpatch-tell 'diagnostics (mapcar #'flymake-diagnostic-text (flymake-diagnostics)))
      (goto-char (flymake-diagnostic-beg (car (flymake-diagnostics))))
      (let ((actions (eglot-code-actions (point) (1+ (point)))))
        (hotpatch-tell 'action (plist-get (elt actions 0) :title))
        (eglot--apply-workspace-edit (plist-get (elt actions 0) :edit)))
      (hotpatch-tell 'text (split-string (buffer-string) "\n"))
      (hotpatch-tell 'verdict
                     (plist-get (jsonrpc-request (eglot--current-server-or-lose) :workspace/executeCommand
                                                 '(:command "hotpatch.check") :timeout 60)
                                :verdict)))
  (error (hotpatch-tell 'failed (format "%S" problem))))
(write-region (json-encode out) nil (getenv "HOTPATCH_OUT"))
(set-buffer-modified-p nil)
(kill-emacs (if (assq 'failed out) 1 0))
