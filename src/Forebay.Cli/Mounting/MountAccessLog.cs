using Forebay.Admin;
using Forebay.Core;
using Forebay.FileSystem;

namespace Forebay.Cli.Mounting;

/// <summary>
/// The access log of a mount and, in the runtime directory, whether it is on: the next worker goes on as this one was told. A file with a path means on,
/// an empty one off; without the file the mount's options count.
/// </summary>
/// <param name="log">Of the file system.</param>
/// <param name="stateFile">Remembers what was switched; removed with the mount.</param>
/// <param name="usualFile">Where lines go when no file is named.</param>
internal sealed class MountAccessLog(AccessLog log, string stateFile, string usualFile) : IAccessLogSwitch
{
    private readonly Lock _lock = new();

    public AccessLogStatus Status => new(log.IsOn, log.FilePath, log.Lines, log.Dropped);

    public AccessLogStatus Switch(bool on, string? file)
    {
        lock (_lock)
        {
            string path = on ? file ?? log.FilePath ?? usualFile : "";
            if (on)
            {
                log.Start(path);
            }

            Remember(path);
            if (!on)
            {
                log.Stop();
            }

            return Status;
        }
    }

    /// <summary>Begins as the worker before was told, or as the mount was.</summary>
    /// <param name="option">Value of <c>access_log</c>; null when it was not given.</param>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: the file cannot be written.</exception>
    public void Begin(string? option)
    {
        string? remembered = File.Exists(stateFile) ? File.ReadAllText(stateFile) : null;
        if ((remembered ?? option) is { Length: > 0 } file)
        {
            log.Start(file);
        }
    }

    private void Remember(string path)
    {
        string partial = stateFile + ".new";
        File.WriteAllText(partial, path);
        File.Move(partial, stateFile, overwrite: true);
    }
}
