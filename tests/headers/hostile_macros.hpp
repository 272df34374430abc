// Names that the headers of Windows, X11, Qt, sockets and debug builds define as macros, all of them
// turned into something that does not compile. A public header that uses one as a name fails here and
// not on a user's desk. To be included after every foreign header and before ours.
#define min(a, b) @min
#define max(a, b) @max
#define interface @interface
#define small @small
#define near @near
#define far @far
#define IN @IN
#define OUT @OUT
#define OPTIONAL @OPTIONAL
#define ERROR @ERROR
#define DELETE @DELETE
#define IGNORE @IGNORE
#define STRICT @STRICT
#define CONST @CONST
#define VOID @VOID
#define TRUE @TRUE
#define FALSE @FALSE
#define DEBUG @DEBUG
#define INFINITE @INFINITE
#define THIS @THIS
#define NO_ERROR @NO_ERROR
#define RELATIVE @RELATIVE
#define ABSOLUTE @ABSOLUTE
#define TRANSPARENT @TRANSPARENT
#define PASSTHROUGH @PASSTHROUGH
#define CreateProcess @CreateProcess
#define CreateEvent @CreateEvent
#define CreateMutex @CreateMutex
#define CreateSemaphore @CreateSemaphore
#define GetMessage @GetMessage
#define SendMessage @SendMessage
#define GetObject @GetObject
#define GetCurrentTime @GetCurrentTime
#define Yield() @Yield
#define ExitProcess @ExitProcess
#define ReportEvent @ReportEvent
#define MemoryBarrier @MemoryBarrier
#define None @None
#define Bool @Bool
#define Status @Status
#define Success @Success
#define Always @Always
#define Unsorted @Unsorted
#define CursorShape @CursorShape
#define KeyPress @KeyPress
#define FocusIn @FocusIn
#define Above @Above
#define Below @Below
#define Complex @Complex
#define Display @Display
#define signals @signals
#define slots @slots
#define emit @emit
#define foreach @foreach
#define forever @forever
#undef unix
#define unix @unix
#undef linux
#define linux @linux
#undef major
#undef minor
#undef makedev
#define major @major
#define minor @minor
#define makedev @makedev
#define verify @verify
#define require @require
#undef s_addr
#define s_addr @s_addr
#undef st_mtime
#define st_mtime @st_mtime
#undef sa_handler
#define sa_handler @sa_handler
#undef si_value
#define si_value @si_value
