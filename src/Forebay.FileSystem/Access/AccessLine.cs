using System.Globalization;
using System.Text;
using Forebay.Fuse;

namespace Forebay.FileSystem;

/// <summary>Lines of the access log: fields between tabs, <c>-</c> for one that there is not. A line that begins with <c>#</c> is no request.</summary>
internal static class AccessLine
{
    internal const string Header = "#time\toperation\tnodeid\tpath\toffset\tbytes\tresult\tmicroseconds\tsource\n";

    /// <summary>Adds the line of a request.</summary>
    internal static void Append(StringBuilder text, in AccessRecord record)
    {
        CultureInfo invariant = CultureInfo.InvariantCulture;
        text.Append(invariant, $"{record.Time.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'}\t{NameOf(record.Opcode)}\t{record.NodeId}\t");
        AppendPath(text, record.Path);
        text.Append('\t');
        _ = record.Offset < 0 ? text.Append('-') : text.Append(invariant, $"{record.Offset}");
        text.Append(invariant, $"\t{record.Bytes}\t");
        _ = NameOf(record.Errno) is { } name ? text.Append(name) : text.Append(invariant, $"{record.Errno}");
        text.Append(invariant, $"\t{record.Elapsed.TotalMicroseconds:0}\t{record.Source ?? "-"}\n");
    }

    /// <summary>From the mount point, which is <c>/</c>; control characters and the backslash as <c>\xNN</c>, so that no name can make a line.</summary>
    private static void AppendPath(StringBuilder text, string? path)
    {
        if (path is null)
        {
            text.Append('-');
            return;
        }

        text.Append('/');
        foreach (char c in path)
        {
            _ = char.IsControl(c) || c is '\\' or '\u2028' or '\u2029' ? text.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}") : text.Append(c);
        }
    }

    private static string NameOf(FuseOpcode opcode) => Enum.IsDefined(opcode) ? opcode.ToString().ToLowerInvariant() : "unknown";

    private static string? NameOf(int errno) => errno switch
    {
        0 => "ok",
        Errno.ENOENT => "ENOENT",
        Errno.EINTR => "EINTR",
        Errno.EIO => "EIO",
        Errno.EBADF => "EBADF",
        Errno.EAGAIN => "EAGAIN",
        Errno.ENOMEM => "ENOMEM",
        Errno.EACCES => "EACCES",
        Errno.EINVAL => "EINVAL",
        Errno.EROFS => "EROFS",
        Errno.ENOSYS => "ENOSYS",
        Errno.ENODATA => "ENODATA",
        Errno.EOPNOTSUPP => "EOPNOTSUPP",
        Errno.ESTALE => "ESTALE",
        Errno.ENAMETOOLONG => "ENAMETOOLONG",
        _ => null,
    };
}
