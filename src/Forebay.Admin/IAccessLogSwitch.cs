namespace Forebay.Admin;

/// <summary>The access log of a mount, as the admin API switches it. Thread-safe.</summary>
public interface IAccessLogSwitch
{
    /// <summary>How it is now.</summary>
    AccessLogStatus Status { get; }

    /// <summary>Switches it.</summary>
    /// <param name="on">On or off.</param>
    /// <param name="file">Absolute path of the file; null for the usual one. Counts only when it is switched on.</param>
    /// <returns>How it is now.</returns>
    /// <exception cref="Core.ForebayException"><see cref="Core.ErrorKind.InvalidArgument"/>: the file cannot be written; nothing was changed.</exception>
    AccessLogStatus Switch(bool on, string? file);
}

/// <summary>An access log at one moment.</summary>
/// <param name="On">Requests are written.</param>
/// <param name="File">Where to; null while it is off.</param>
/// <param name="Lines">Requests written by this worker.</param>
/// <param name="Dropped">Requests of this worker that were not written: the disk was too slow, or refused.</param>
public sealed record AccessLogStatus(bool On, string? File, long Lines, long Dropped);
