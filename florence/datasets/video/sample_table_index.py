"""Which frames an MP4 or MOV file holds, from the table in its header: the packets of a long video need not be read.

The table lists the packets in the order of decoding, with the time of decoding but not that of showing. A decoder holds back at
most `MAX_REORDERING` frames, hence the place of a frame in the order of showing is within that of its place in the order of
decoding, and sorting the packets around a wanted frame by their time of showing finds it exactly.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from florence.datasets.video.packet_index import CODECS_WITH_HIDDEN_FRAMES, PacketIndex, split_at_keyframes

MAX_REORDERING = 16
"""Pictures that a decoder of H.264 or HEVC stores (H.264, A.3.1; HEVC, A.4.2); other codecs hold back fewer."""


def sample_table(container: Any, stream: Any, path: str) -> list[tuple[int, bool]] | None:
    """Decoding time and whether it is a keyframe, of every packet that lies in the file as a whole.

    Args:
        container: `av.container.InputContainer`.
        stream: A video stream of it.
        path: The file.

    Returns:
        None where the table does not tell all: another container, a fragmented file, an edit list that leaves frames out.
    """
    if not container.format.name.startswith('mov') or stream.codec_context.name in CODECS_WITH_HIDDEN_FRAMES:
        return None
    entries = stream.index_entries
    if stream.frames == 0 or len(entries) != stream.frames:
        return None
    end, table, last_dts = Path(path).stat().st_size, [], None
    for entry in entries:
        if entry.pos + entry.size > end:
            break
        if entry.is_discard or (last_dts is not None and entry.timestamp <= last_dts):
            return None
        last_dts = entry.timestamp
        table.append((last_dts, entry.is_keyframe))
    return table if table and table[0][1] else None


class SampleTableIndex:
    """Index of one video stream by the table in the file's header; same interface as `PacketIndex`.

    Args:
        container: `av.container.InputContainer`.
        stream: A video stream of it.
        table: Of `sample_table`.

    Attributes:
        num_frames: Packets that lie in the file.
        announced: Packets of the table.
        can_seek: True.
    """

    can_seek = True

    def __init__(self, container: Any, stream: Any, table: list[tuple[int, bool]]) -> None:
        self._container, self._stream = container, stream
        self.num_frames, self.announced = len(table), stream.frames
        dts, is_key = zip(*table, strict=True)
        self._dts = np.array(dts, np.int64)
        self._keys = np.flatnonzero(is_key)

    def times(self) -> np.ndarray:
        """When each frame is shown, seconds after the first one, `(num_frames,)` float64; reads all packets."""
        self._container.seek(int(self._dts[0]), stream=self._stream)
        return PacketIndex(self._container, self._stream).times()

    def runs(self, wanted: np.ndarray) -> Iterator[tuple[int, dict[int, int]]]:
        """What to decode for some frames; see `PacketIndex.runs`. Reads the packets around them.

        Args:
            wanted: Numbers of frames, rising.

        Raises:
            LookupError: If the packets around them cannot be read.
        """
        earliest = np.maximum(wanted - MAX_REORDERING, 0)
        own_key = self._keys[np.searchsorted(self._keys, earliest, side='right') - 1]
        key_of = dict(zip(wanted.tolist(), own_key.tolist(), strict=True))
        for run in split_at_keyframes(wanted, own_key):
            first, pts, keys = self._shown_around(key_of[int(run[0])], int(run[-1]))
            if run[0] < first:
                raise LookupError(f'the packets begin at number {first}, after frame {run[0]}')
            own_pts = pts[run - first]
            keys = keys[keys <= own_pts[0]]
            yield int(keys[-1] if len(keys) else pts[0]), dict(zip(own_pts.tolist(), run.tolist(), strict=True))

    def _shown_around(self, key: int, last: int) -> tuple[int, np.ndarray, np.ndarray]:
        """Time stamps in the order of showing, from the keyframe `key` (or an earlier one) to beyond frame `last`.

        Returns:
            Number of the first of them, the time stamps, and those of the keyframes among them.
        """
        from av.error import FFmpegError

        self._container.seek(int(self._dts[key]), stream=self._stream)
        shown, keys, first = [], [], None
        try:
            for packet in self._container.demux(self._stream):
                if packet.size == 0:
                    break
                if packet.is_corrupt:
                    continue
                if first is None:
                    first = int(np.searchsorted(self._dts, packet.dts))
                shown.append(packet.pts)
                if packet.is_keyframe:
                    keys.append(packet.pts)
                if first + len(shown) > last + 1 + MAX_REORDERING:
                    break
        except FFmpegError:  # fewer packets than the table lists: `runs` finds some missing
            pass
        return first or 0, np.sort(np.array(shown, np.int64)), np.sort(np.array(keys, np.int64))
