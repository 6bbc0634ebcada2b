using Forebay.Fuse;

namespace Forebay.FileSystem;

/// <content>The access log.</content>
public sealed partial class MountedFileSystem
{
    /// <summary>The log of requests; off until it is started. Ends with the file system.</summary>
    public AccessLog AccessLog { get; }

    /// <summary>Notes an answered request in the access log; a look at a field when that is off.</summary>
    public void Note(in FuseCompletion completion)
    {
        if (AccessLog.IsOn)
        {
            Record(completion);
        }
    }

    private void Record(in FuseCompletion completion)
    {
        FuseRequestNote note = completion.Note;
        string? path = completion.NodeId == 0 ? null : _table.PathOf(completion.NodeId);
        if (path is not null && note.Name is { } name)
        {
            path = path.Length == 0 ? name : $"{path}/{name}";
        }

        bool isRange = completion.Opcode is FuseOpcode.Read;
        AccessLog.Add(new AccessRecord(
            AccessLog.Now, completion.Opcode, completion.NodeId, path, isRange ? note.Offset : -1, isRange ? note.Bytes : completion.ReplyBytes, completion.Errno != 0 ? completion.Errno : note.Errno, completion.Elapsed, note.Source));
    }

    /// <summary>What a line tells besides the answer; kept only while somebody writes lines.</summary>
    private void Note(FuseRequest request, string source)
    {
        if (AccessLog.IsOn)
        {
            request.Note(new FuseRequestNote(null, -1, 0, source));
        }
    }

    private void Note(FuseRequest request, string source, long offset, int bytes)
    {
        if (AccessLog.IsOn)
        {
            request.Note(new FuseRequestNote(null, offset, bytes, source));
        }
    }

    private void NoteAbsent(FuseRequest request)
    {
        if (AccessLog.IsOn)
        {
            request.Note(request.Noted with { Errno = Errno.ENOENT });
        }
    }

    private void Note(FuseRequest request, string source, ReadOnlySpan<byte> name)
    {
        if (AccessLog.IsOn)
        {
            request.Note(new FuseRequestNote(System.Text.Encoding.UTF8.GetString(name), -1, 0, source));
        }
    }
}
