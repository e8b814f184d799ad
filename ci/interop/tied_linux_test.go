package interop

import "syscall"

func init() { tied = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
