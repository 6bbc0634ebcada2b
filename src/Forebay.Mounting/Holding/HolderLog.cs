using System.Globalization;
using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Mounting.Holding;

/// <summary>Lines of the holder, in the form of the worker's, to the same file. The file is kept small by whoever holds the mount.</summary>
/// <param name="output">Standard error.</param>
/// <param name="time">Clock.</param>
/// <param name="file">The file that standard error is, or null.</param>
internal sealed class HolderLog(TextWriter output, TimeProvider time, string? file)
{
    /// <summary>Most bytes of a log; what it held before stays as <c>.old</c>.</summary>
    public const long MaxBytes = 8L << 20;

    public void Info(string what) => Write("info", what);

    public void Warn(string what) => Write("warn", what);

    /// <summary>Starts the file anew when it has grown too large. Processes append to it, so that they go on at its new end.</summary>
    public void Trim()
    {
        try
        {
            if (file is null || new FileInfo(file) is not { Exists: true, LinkTarget: null, Length: > MaxBytes })
            {
                return;
            }

            // Where others may write to the directory, a link put in the place of either file must not lead elsewhere.
            using SafeFileHandle handle = new(Native.Open(file, Native.OpenReadWrite | Native.OpenCloseOnExec | OpenFlags.NoFollow, 0), ownsHandle: true);
            if (handle.IsInvalid)
            {
                return;
            }

            using FileStream stream = new(handle, FileAccess.ReadWrite);
            string partial = file + ".new";
            File.Delete(partial);
            using (FileStream copy = new(partial, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
            {
                stream.CopyTo(copy);
            }

            File.Move(partial, file + ".old", overwrite: true);
            stream.SetLength(0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A log that cannot be kept small must not cost the mount.
        }
    }

    private void Write(string level, string what)
    {
        string now = time.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        try
        {
            output.WriteLine($"{now} {level}: Forebay.Mounting.Holder[0] {what}");
            output.Flush();
        }
        catch (IOException)
        {
            // A full disk or a closed terminal must not cost the mount.
        }
    }
}
